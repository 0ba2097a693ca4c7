// Call the tool with the MCP SDK: mcp_call.mjs URL ARGUMENTS, or mcp_call.mjs PROGRAM ARGUMENTS PROGRAM_ARGUMENT...
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const [target, given, ...args] = process.argv.slice(2);
const isHttp = target.startsWith("http");
const transport = isHttp
  ? new StreamableHTTPClientTransport(new URL(target))
  : new StdioClientTransport({ command: target, args });
const client = new Client({ name: "test", version: "0" });
const lines = [];
const onprogress = ({ progress, total, message }) => lines.push([progress, total ?? null, message]);
await client.connect(transport);
const tools = (await client.listTools()).tools.map((tool) => tool.name);
let outcome;
try {
  const call = { name: "fusion_research", arguments: JSON.parse(given) };
  const result = await client.callTool(call, undefined, { onprogress, resetTimeoutOnProgress: true });
  outcome = { isError: Boolean(result.isError), text: result.content[0].text };
} catch (error) {
  outcome = { isError: true, text: String(error) };
}
if (isHttp) await transport.terminateSession().catch(() => {});
await client.close();
console.log(JSON.stringify({ tools, lines, ...outcome }));

// Ask with the AI SDK's default provider, which asks for responses: the base URL; print what each way of asking gives.
import { createOpenAI } from "@ai-sdk/openai";
import { generateText, Output, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";

const openai = createOpenAI({ baseURL: process.argv[2], apiKey: "unused" });
const paths = [];
const tools = {
  read_file: tool({
    description: "Read a file.",
    inputSchema: z.object({ path: z.string() }),
    execute: async ({ path }) => {
      paths.push(path);
      return "The Alder mill burned down in 1902.";
    },
  }),
};
const prompt = "When was the Alder mill built?";
const options = { maxRetries: 0 };

const whole = await generateText({ model: openai("fusion"), prompt, ...options });
const streamed = streamText({ model: openai("fusion"), prompt, ...options });
let deltas = "";
for await (const delta of streamed.textStream) deltas += delta;
const agent = { model: openai("fusion-agent"), tools, stopWhen: stepCountIs(4), ...options };
const worked = await generateText({ ...agent, prompt });
// The next turn, with the messages of the first one sent back as the SDK keeps them.
const followed = await generateText({
  ...agent,
  messages: [{ role: "user", content: prompt }, ...worked.response.messages, { role: "user", content: "By whom?" }],
});
const live = streamText({ ...agent, prompt });
let liveText = "";
for await (const delta of live.textStream) liveText += delta;
const object = await generateText({
  model: openai("fusion"),
  prompt,
  output: Output.object({ schema: z.object({ built: z.number() }) }),
  ...options,
});
console.log(
  JSON.stringify({
    text: whole.text,
    sources: whole.sources.map((source) => source.url),
    tokens: whole.usage.totalTokens,
    deltas,
    streamedSources: (await streamed.sources).length,
    worked: worked.text,
    followed: followed.text,
    live: liveText,
    paths,
    object: object.output,
  }),
);

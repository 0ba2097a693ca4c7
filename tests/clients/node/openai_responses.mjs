// Ask for responses with OpenAI's client for JavaScript: the base URL; print what each way of asking gives.
import OpenAI from "openai";

const client = new OpenAI({ baseURL: process.argv[2], apiKey: "unused", maxRetries: 0 });
const input = "When was the Alder mill built?";
const created = await client.responses.create({ model: "fusion", input });
let deltas = "";
const stream = client.responses.stream({ model: "fusion", input });
for await (const event of stream) if (event.type === "response.output_text.delta") deltas += event.delta;
const streamed = await stream.finalResponse();
console.log(
  JSON.stringify({
    text: created.output_text,
    annotations: created.output[0].content[0].annotations,
    usage: created.usage,
    deltas,
    streamed: streamed.output_text,
  }),
);

// Asks for a chat completion with OpenAI's client: the base URL, then `stream`; prints its text and its annotations.
import OpenAI from "openai";

const [baseURL, mode] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey: "unused" });
const request = { model: "fusion", messages: [{ role: "user", content: "When was the Alder mill built?" }] };
let text = "";
let annotations = [];
if (mode === "stream") {
  for await (const { choices } of await client.chat.completions.create({ ...request, stream: true })) {
    text += choices[0]?.delta.content ?? "";
    annotations.push(...(choices[0]?.delta.annotations ?? []));
  }
} else {
  const { message } = (await client.chat.completions.create(request)).choices[0];
  [text, annotations] = [message.content, message.annotations];
}
console.log(JSON.stringify({ text, annotations }));

// Asks for a chat completion with OpenAI's client as it comes, whole and streamed: the base URL.
import OpenAI from "openai";

const client = new OpenAI({ baseURL: process.argv[2], apiKey: "unused" });
const request = { model: "fusion", messages: [{ role: "user", content: "Why?" }] };

const whole = async () => (await client.chat.completions.create(request)).choices[0].message.content;
const stream = async () => {
  let text = "";
  for await (const chunk of await client.chat.completions.create({ ...request, stream: true }))
    text += chunk.choices[0]?.delta.content ?? "";
  return text;
};
const outcome = (ask) => ask().then((text) => ({ text }), (error) => ({ error: String(error) }));

console.log(JSON.stringify([await outcome(whole), await outcome(stream)]));

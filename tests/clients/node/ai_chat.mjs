// Asks with the AI SDK as it comes, whole and streamed: the base URL, then `compatible` for the provider of compatible
// servers instead of OpenAI's, or `responses` for the protocol that OpenAI's asks by default.
import { generateText, streamText } from "ai";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";

const [baseURL, provider] = process.argv.slice(2);
const openai = createOpenAI({ baseURL, apiKey: "unused" });
const model = {
  chat: () => openai.chat("fusion"),
  compatible: () => createOpenAICompatible({ name: "fusion", baseURL, apiKey: "unused" }).chatModel("fusion"),
  responses: () => openai.responses("fusion"),
}[provider ?? "chat"]();

const whole = async () => (await generateText({ model, prompt: "Why?" })).text;
const stream = async () => {
  let text = "";
  for await (const part of streamText({ model, prompt: "Why?", onError: () => {} }).fullStream) {
    if (part.type === "error") throw part.error;
    if (part.type === "text-delta") text += part.text;
  }
  return text;
};
const outcome = (ask) => ask().then((text) => ({ text }), (error) => ({ error: error?.message ?? JSON.stringify(error) }));

console.log(JSON.stringify([await outcome(whole), await outcome(stream)]));

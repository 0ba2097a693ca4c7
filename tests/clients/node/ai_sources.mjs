// Asks for a chat completion with the AI SDK: the base URL, then `stream`; prints its text and its sources.
import { createOpenAI } from "@ai-sdk/openai";
import { generateText, streamText } from "ai";

const [baseURL, mode] = process.argv.slice(2);
const model = createOpenAI({ baseURL, apiKey: "unused" }).chat("fusion");
const request = { model, prompt: "When was the Alder mill built?" };
const answer = mode === "stream" ? streamText(request) : await generateText(request);
const [text, sources] = [await answer.text, await answer.sources];
console.log(JSON.stringify({ text, sources: sources.map(({ url, title }) => ({ url, title })) }));

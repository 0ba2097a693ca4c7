// Asks for a chat completion with LangChain JS as it comes, whole and streamed: the base URL.
import { ChatOpenAI } from "@langchain/openai";

const configuration = { baseURL: process.argv[2] };
const model = new ChatOpenAI({ model: "fusion", apiKey: "unused", configuration, useResponsesApi: false });

const whole = async () => (await model.invoke("Why?")).text;
const stream = async () => {
  let text = "";
  for await (const chunk of await model.stream("Why?")) text += chunk.text;
  return text;
};
const outcome = (ask) => ask().then((text) => ({ text }), (error) => ({ error: String(error) }));

console.log(JSON.stringify([await outcome(whole), await outcome(stream)]));

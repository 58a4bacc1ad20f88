// transformers.js in Node.
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname } from "node:path";
import { pathToFileURL } from "node:url";
const [folder, , out, texts] = process.argv.slice(2);
const require = createRequire(process.cwd() + "/");
const place = dirname(require.resolve("@huggingface/transformers"));
const { env, pipeline } = await import(pathToFileURL(place + "/transformers.node.mjs"));
env.allowRemoteModels = false;
env.localModelPath = dirname(folder);
const extract = await pipeline("feature-extraction", basename(folder), { dtype: "fp32" });
const rows = [];
for (const text of JSON.parse(readFileSync(texts))) {
  rows.push((await extract(text, { pooling: "mean", normalize: true })).tolist()[0]);
}
writeFileSync(out, JSON.stringify(rows));
const { version } = JSON.parse(readFileSync(dirname(place) + "/package.json"));
console.log(JSON.stringify({ version }));

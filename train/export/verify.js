// Scores rows by ONNX Runtime: MODEL, a file of float32 rows, the columns, and
// the file that float64 scores go to, and after them, of a model that has some, all
// float64 probabilities. Prints the version. Exit code 3: there is
// no onnxruntime-node.
'use strict';
const fs = require('fs');
const path = require('path');
const [model, input, columns, output] = process.argv.slice(1).filter((word) => word !== '--');
const from = [process.env.FLOWBENCH_NODE_MODULES, process.cwd()].filter(Boolean).map((folder) => path.resolve(folder));

let found;
try {
  found = require.resolve('onnxruntime-node', { paths: from });
} catch {
  process.exit(3);
}

async function main() {
  const ort = require(found);
  const session = await ort.InferenceSession.create(model, { executionProviders: ['cpu'], intraOpNumThreads: 1, interOpNumThreads: 1 });
  const raw = fs.readFileSync(input);
  const features = new Float32Array(raw.buffer.slice(raw.byteOffset, raw.byteOffset + raw.byteLength));
  const cols = Number(columns);
  const scores = [];
  const shares = [];
  const most = 512; // rows of a batch, the last is smaller: the batch is dynamic
  for (let at = 0; at < features.length; at += most * cols) {
    const part = features.slice(at, at + most * cols);
    const { score, probabilities } = await session.run({ features: new ort.Tensor('float32', part, [part.length / cols, cols]) });
    scores.push(...score.data);
    if (probabilities) shares.push(...probabilities.data);
  }
  fs.writeFileSync(output, new Uint8Array(Float64Array.from(scores.concat(shares)).buffer));
  console.log(`onnxruntime-node ${ort.env.versions.node ?? ort.env.versions.common}`);
}

main().catch((error) => {
  console.error(error.message);
  process.exit(1);
});

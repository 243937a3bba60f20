// node sharp.cjs IN QUALITY: a worker of dataset.py, which encodes the pictures IN/*.npy with sharp, from memory to memory
// and on one thread, for each line on stdin, and at last prints what the rounds took.
// node sharp.cjs IN QUALITY OUT: encodes them once, into OUT/NAME.jpg.
// node sharp.cjs IN QUALITY OUT files: a worker that encodes the pictures IN/*.png into OUT/NAME.jpg, from file to file.
// sharp is looked for where NODE_PATH says.

const fs = require("fs");
const path = require("path");
const readline = require("readline");
const sharp = require("sharp");

sharp.concurrency(1);
sharp.cache(false);

// A file of numpy (format 1.0): 10 bytes, the last two of them the size of a header, the header, the samples.
function picture(file) {
  const data = fs.readFileSync(file);
  const start = 10 + data.readUInt16LE(8);
  const [, height, width] = data.toString("latin1", 10, start).match(/'shape': \((\d+), (\d+), 3\)/).map(Number);
  return { samples: data.subarray(start), raw: { width, height, channels: 3 } };
}

function encoder(input, quality, options) {
  return sharp(input, options).jpeg({ quality, chromaSubsampling: "4:2:0", optimiseCoding: true });
}

function names(folder, suffix) {
  return fs.readdirSync(folder).filter((name) => name.endsWith(suffix)).sort();
}

function target(out, name) {
  return path.join(out, `${path.parse(name).name}.jpg`);
}

// What is to be done to each picture, in a round.
function fromMemory(folder, quality) {
  const pictures = names(folder, ".npy").map((name) => picture(path.join(folder, name)));
  return pictures.map(({ samples, raw }) => () => encoder(samples, quality, { raw }).toBuffer());
}

function fromFiles(folder, quality, out) {
  return names(folder, ".png").map((name) => () => encoder(path.join(folder, name), quality).toFile(target(out, name)));
}

function statusBytes(entry) {
  return 1024 * Number(fs.readFileSync("/proc/self/status", "utf8").match(new RegExp(`^${entry}:\\s+(\\d+)`, "m"))[1]);
}

function median(values) {
  const sorted = [...values].sort((one, other) => one - other);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

async function main([folder, quality, out, files]) {
  const work = files ? fromFiles(folder, Number(quality), out) : fromMemory(folder, Number(quality));
  const before_nbytes = statusBytes("VmHWM");
  const round = async () => {
    const results = [];
    for (const each of work) results.push(await each());
    return results;
  };
  const results = await round();
  if (out !== undefined && !files) {
    names(folder, ".npy").forEach((name, index) => fs.writeFileSync(target(out, name), results[index]));
    return;
  }
  const cpu = [];
  const wall = [];
  console.log("ready");
  for await (const _ of readline.createInterface({ input: process.stdin })) {
    const start = [process.cpuUsage(), process.hrtime.bigint()];
    await round();
    const { user, system } = process.cpuUsage(start[0]);
    cpu.push((user + system) / 1e6);
    wall.push(Number(process.hrtime.bigint() - start[1]) / 1e9);
    console.log("done");
  }
  const memory = { peak_nbytes: statusBytes("VmHWM"), file_nbytes: statusBytes("RssFile"), before_nbytes };
  const figures = { cpu: median(cpu), wall: median(wall), pictures: work.length, threads: 1 };
  console.log(JSON.stringify({ ...figures, ...memory }));
}

main(process.argv.slice(2));

// node sharp.cjs IN QUALITY: a worker of dataset.py, which encodes the pictures IN/*.npy with sharp, from memory to memory
// and on one thread, for each line on stdin, and at last prints what the rounds took.
// node sharp.cjs IN QUALITY OUT: encodes them once, into OUT/NAME.jpg. sharp is looked for where NODE_PATH says.

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

function encoded({ samples, raw }, quality) {
  return sharp(samples, { raw }).jpeg({ quality, chromaSubsampling: "4:2:0", optimiseCoding: true }).toBuffer();
}

function statusBytes(entry) {
  return 1024 * Number(fs.readFileSync("/proc/self/status", "utf8").match(new RegExp(`^${entry}:\\s+(\\d+)`, "m"))[1]);
}

function median(values) {
  const sorted = [...values].sort((one, other) => one - other);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

async function main([folder, quality, target]) {
  const names = fs.readdirSync(folder).filter((name) => name.endsWith(".npy")).sort();
  const pictures = names.map((name) => picture(path.join(folder, name)));
  const before_nbytes = statusBytes("VmHWM");
  const round = async () => {
    const files = [];
    for (const each of pictures) files.push(await encoded(each, Number(quality)));
    return files;
  };
  const files = await round();
  if (target !== undefined) {
    files.forEach((data, index) => fs.writeFileSync(path.join(target, `${path.parse(names[index]).name}.jpg`), data));
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
  const figures = { cpu: median(cpu), wall: median(wall), pictures: pictures.length, threads: 1 };
  console.log(JSON.stringify({ ...figures, ...memory }));
}

main(process.argv.slice(2));

// node decode.cjs sharp|jpeg-js|pdfjs-dist IN OUT: decodes every IN/NAME.jpg with that package into OUT/NAME.ppm,
// OUT/NAME.error and OUT/NAME.warning. Packages are looked for where NODE_PATH says.

const fs = require("fs");
const path = require("path");
const { pathToFileURL } = require("url");

// Each takes the bytes of a file and gives { width, height, bands, samples, warning }.
const decoders = {
  async sharp() {
    const sharp = require("sharp");
    const decode = async (data, failOn) => {
      // CMYK stays as it is: a profile of sharp's own would convert it.
      const space = (await sharp(data).metadata()).space === "cmyk" ? "cmyk" : "srgb";
      const picture = sharp(data, { failOn }).pipelineColourspace(space).toColourspace(space);
      const { data: samples, info } = await picture.raw().toBuffer({ resolveWithObject: true });
      return { width: info.width, height: info.height, bands: info.channels, samples };
    };
    return (data) =>
      decode(data, "warning").catch(async ({ message }) => ({ ...(await decode(data, "none")), warning: message }));
  },
  async "jpeg-js"() {
    const { decode } = require("jpeg-js");
    return (data) => {
      const { width, height, data: samples } = decode(data, { useTArray: true, formatAsRGBA: false });
      return { width, height, bands: 3, samples };
    };
  },
  async "pdfjs-dist"() {
    const source = require.resolve("pdfjs-dist/image_decoders/pdf.image_decoders.mjs");
    const { JpegImage } = await import(pathToFileURL(source));
    let warning = "";
    console.log = console.warn = (text) => (warning += `${text}\n`);
    return (data) => {
      warning = "";
      const picture = new JpegImage();
      picture.parse(new Uint8Array(data));
      const { width, height, numComponents } = picture;
      const bands = numComponents === 4 ? 4 : 3; // CMYK stays as it is: pdf.js would convert it for print
      const samples = picture.getData({ width, height, forceRGB: bands === 3, isSourcePDF: false });
      return { width, height, bands, samples, warning };
    };
  },
};

async function main([name, source, target]) {
  const decode = await decoders[name]();
  for (const file of fs.readdirSync(source).filter((each) => each.endsWith(".jpg"))) {
    const stem = path.join(target, path.basename(file, ".jpg"));
    try {
      const { width, height, bands, samples, warning } = await decode(fs.readFileSync(path.join(source, file)));
      const header = Buffer.from(`${{ 1: "P5", 3: "P6", 4: "P0CMYK" }[bands]} ${width} ${height} 255\n`);
      fs.writeFileSync(`${stem}.ppm`, Buffer.concat([header, Buffer.from(samples)]));
      if (warning) fs.writeFileSync(`${stem}.warning`, warning);
    } catch (error) {
      fs.writeFileSync(`${stem}.error`, String(error.message ?? error));
    }
  }
}

main(process.argv.slice(2));

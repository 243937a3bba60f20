// Decodes every NAME.jpg of one folder with Java's ImageIO, into NAME.ppm, NAME.error and NAME.warning of another.

import java.awt.image.Raster;
import java.io.BufferedOutputStream;
import java.io.File;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import javax.imageio.ImageIO;
import javax.imageio.ImageReader;
import javax.imageio.stream.ImageInputStream;

public class Decode {
    public static void main(String[] folders) throws IOException {
        for (File file : new File(folders[0]).listFiles((folder, name) -> name.endsWith(".jpg"))) {
            String stem = file.getName().replaceAll("\\.jpg$", "");
            try {
                decode(file, Path.of(folders[1]), stem);
            } catch (Exception error) {
                write(Path.of(folders[1], stem + ".error"), String.valueOf(error.getMessage()));
            }
        }
    }

    static void decode(File file, Path folder, String stem) throws IOException {
        ImageReader reader = ImageIO.getImageReadersByFormatName("jpeg").next();
        StringBuilder warnings = new StringBuilder();
        reader.addIIOReadWarningListener((source, warning) -> warnings.append(warning).append('\n'));
        try (ImageInputStream stream = ImageIO.createImageInputStream(file)) {
            reader.setInput(stream);
            // The samples as they are: getRGB would convert grey ones and CMYK by colour spaces of Java's own.
            Raster raster = reader.read(0).getRaster();
            save(raster, folder.resolve(stem + ".ppm"));
        }
        if (warnings.length() > 0) {
            write(folder.resolve(stem + ".warning"), warnings.toString());
        }
    }

    static void save(Raster raster, Path path) throws IOException {
        int width = raster.getWidth(), height = raster.getHeight(), bands = raster.getNumBands();
        byte[] samples = new byte[width * height * bands];
        int at = 0;
        for (int sample : raster.getPixels(raster.getMinX(), raster.getMinY(), width, height, (int[]) null)) {
            samples[at++] = (byte) sample;
        }
        try (OutputStream out = new BufferedOutputStream(Files.newOutputStream(path))) {
            String header = (bands == 1 ? "P5 " : bands == 3 ? "P6 " : "P0CMYK ") + width + " " + height + " 255\n";
            out.write(header.getBytes(StandardCharsets.US_ASCII));
            out.write(samples);
        }
    }

    static void write(Path path, String text) throws IOException {
        Files.write(path, text.getBytes(StandardCharsets.UTF_8));
    }
}

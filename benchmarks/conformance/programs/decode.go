// Decodes every NAME.jpg of one folder with Go's image/jpeg, into NAME.ppm or NAME.error of another.

package main

import (
	"bufio"
	"fmt"
	"image"
	"image/jpeg"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	paths, _ := filepath.Glob(filepath.Join(os.Args[1], "*.jpg"))
	for _, path := range paths {
		stem := filepath.Join(os.Args[2], strings.TrimSuffix(filepath.Base(path), ".jpg"))
		if err := decode(path, stem+".ppm"); err != nil {
			os.WriteFile(stem+".error", []byte(err.Error()), 0o644)
		}
	}
}

func decode(path, target string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	picture, err := jpeg.Decode(bufio.NewReader(file))
	if err != nil {
		return err
	}
	return save(picture, target)
}

func save(picture image.Image, target string) error {
	file, err := os.Create(target)
	if err != nil {
		return err
	}
	defer file.Close()
	out := bufio.NewWriter(file)
	bounds := picture.Bounds()
	fmt.Fprintf(out, "P6 %d %d 255\n", bounds.Dx(), bounds.Dy())
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			red, green, blue, _ := picture.At(x, y).RGBA()
			out.Write([]byte{byte(red >> 8), byte(green >> 8), byte(blue >> 8)})
		}
	}
	return out.Flush()
}

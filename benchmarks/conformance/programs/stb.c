/* Decodes every NAME.jpg of one folder with stb_image, into NAME.ppm or NAME.error of another. */

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#define STB_IMAGE_IMPLEMENTATION
#define STBI_ONLY_JPEG
#include <stb/stb_image.h>

static int decode(const char *source, const char *stem)
{
    char target[4096];
    int width, height, bands;
    unsigned char *samples = stbi_load(source, &width, &height, &bands, 0);
    snprintf(target, sizeof target, "%s.%s", stem, samples ? "ppm" : "error");
    FILE *out = fopen(target, "wb");
    if (!out)
        return 1;
    if (samples) {
        fprintf(out, "P%d %d %d 255\n", bands == 1 ? 5 : 6, width, height);
        fwrite(samples, bands, (size_t)width * height, out);
        stbi_image_free(samples);
    } else {
        fputs(stbi_failure_reason(), out);
    }
    return fclose(out);
}

int main(int count, char **folders)
{
    DIR *folder = count == 3 ? opendir(folders[1]) : NULL;
    if (!folder)
        return 1;
    int failed = 0;
    for (struct dirent *entry; (entry = readdir(folder));) {
        char source[2048], stem[2048];
        size_t length = strlen(entry->d_name);
        if (length < 5 || strcmp(entry->d_name + length - 4, ".jpg"))
            continue;
        snprintf(source, sizeof source, "%s/%s", folders[1], entry->d_name);
        snprintf(stem, sizeof stem, "%s/%.*s", folders[2], (int)length - 4, entry->d_name);
        failed |= decode(source, stem);
    }
    closedir(folder);
    return failed;
}

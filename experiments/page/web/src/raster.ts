/** Raster draws many lines into memory, pixel by pixel: thousands of strokes on a
 * canvas take a browser without a graphics processor half a second, these some
 * milliseconds. A pixel of a line is half its colour, half what was there. */
export class Raster {
  readonly image: ImageData;
  private readonly pixels: Uint32Array;

  constructor(readonly width: number, readonly height: number, background: string) {
    this.image = new ImageData(width, height);
    this.pixels = new Uint32Array(this.image.data.buffer);
    this.pixels.fill(packed(background));
  }

  /** copy takes the pixels of a raster of the same size. */
  copy(from: Raster): void {
    this.pixels.set(from.pixels);
  }

  /** line draws through points [x0, y0, x1, y1, ...], from the first one at from to
   * before the one at to. Points outside are cut off. */
  line(points: Float32Array, from: number, to: number, color: number): void {
    const { pixels, width, height } = this;
    for (let i = from; i + 3 < to; i += 2) {
      let x = points[i]!, y = points[i + 1]!;
      const dx = points[i + 2]! - x, dy = points[i + 3]! - y;
      const steps = Math.max(1, Math.ceil(Math.max(Math.abs(dx), Math.abs(dy))));
      const sx = dx / steps, sy = dy / steps;
      for (let k = 0; k < steps; k++, x += sx, y += sy) {
        if (x < 0 || y < 0 || x >= width || y >= height) continue;
        const at = (y | 0) * width + (x | 0);
        const there = pixels[at]!;
        // The mean of both, byte by byte: what they share, and half of what they do not.
        pixels[at] = (there & color) + (((there ^ color) & 0xfefefefe) >>> 1);
      }
    }
  }
}

/** packed is a colour as a pixel of ImageData, on this machine's order of bytes. */
export function packed(color: string): number {
  const c = document.createElement("canvas").getContext("2d", { willReadFrequently: true })!;
  c.fillStyle = color;
  c.fillRect(0, 0, 1, 1);
  return new Uint32Array(c.getImageData(0, 0, 1, 1).data.buffer)[0]!;
}

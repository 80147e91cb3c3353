/** Random numbers of torch: the same seed gives the same numbers as `torch.Generator`. */

const SIZE = 624;

/** The Mersenne Twister MT19937, as PyTorch seeds and reads it on the CPU. */
export class Generator {
  constructor(seed = 0) {
    this.words = new Uint32Array(SIZE);
    this.words[0] = seed >>> 0;
    for (let i = 1; i < SIZE; i += 1) {
      const previous = this.words[i - 1];
      this.words[i] = Math.imul(1812433253, previous ^ (previous >>> 30)) + i;
    }
    this.next = SIZE;
  }

  /** Return a whole number below 2³². */
  word() {
    if (this.next === SIZE) this.renew();
    let y = this.words[this.next];
    this.next += 1;
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  renew() {
    const w = this.words;
    for (let i = 0; i < SIZE; i += 1) {
      const y = (w[i] & 0x80000000) | (w[(i + 1) % SIZE] & 0x7fffffff);
      w[i] = w[(i + 397) % SIZE] ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
    }
    this.next = 0;
  }

  /** Return a number in [0, 1) with 53 bits, as `torch.rand(…, dtype=torch.float64)`. */
  uniform() {
    const high = this.word() & 0x1fffff;
    return (high * 4294967296 + this.word()) / 9007199254740992;
  }

  /** Return a random order of 0 … count − 1, as `torch.randperm`. */
  permutation(count) {
    const order = Int32Array.from({ length: count }, (_, i) => i);
    for (let i = 0; i < count - 1; i += 1) {
      const other = i + (this.word() % (count - i));
      [order[i], order[other]] = [order[other], order[i]];
    }
    return order;
  }

  /** Return normal random numbers, as `torch.randn(…, dtype=torch.float64)` of 16 or more. */
  normals(count) {
    const values = Float64Array.from({ length: count }, () => this.uniform());
    for (let start = 0; start + 16 <= count; start += 16) makeNormal(values, start);
    if (count % 16) {
      for (let at = count - 16; at < count; at += 1) values[at] = this.uniform();
      makeNormal(values, count - 16);
    }
    return values;
  }
}

/** Turn 16 uniform numbers into normal ones, in pairs (Box & Muller 1958). */
function makeNormal(values, start) {
  for (let at = start; at < start + 8; at += 1) {
    const radius = Math.sqrt(-2 * Math.log(1 - values[at]));
    const angle = 2 * Math.PI * values[at + 8];
    values[at] = radius * Math.cos(angle);
    values[at + 8] = radius * Math.sin(angle);
  }
}

/** Separations: a potential F of the scores, and its gradient, the weights of the patterns. */

/** Return the place of the largest number, the first of those that tie. */
export function argmax(values) {
  let best = 0;
  for (let i = 1; i < values.length; i += 1) if (values[i] > values[best]) best = i;
  return best;
}

function scaledToOne(weights) {
  let total = 0;
  for (const weight of weights) total += weight;
  return weights.map((weight) => weight / total);
}

/** F(s) = β⁻¹ log mean exp(βs), ∇F = softmax(βs): Ramsauer et al. 2021, Demircigil et al. 2017. */
export class Softmax {
  /** The distance below the best score from which on weights are 0. */
  cutoff = Infinity;

  constructor(beta) {
    this.beta = beta;
  }

  get inverseWidth() {
    return this.beta;
  }

  weights(scores) {
    const top = scores[argmax(scores)];
    return scaledToOne(scores.map((score) => Math.exp(this.beta * (score - top))));
  }

  potential(scores) {
    const top = scores[argmax(scores)];
    let sum = 0;
    let below = 0;
    for (const score of scores) {
      sum += Math.exp(this.beta * (score - top));
      below += Math.expm1(this.beta * (score - top));
    }
    const mean = below / scores.length;
    const log = mean > -0.5 ? Math.log1p(mean) : Math.log(sum / scores.length);
    return top + log / this.beta;
  }

  /** Return the sign of Σ count·exp(β·level) over levels from high to low. */
  signOfCounts(counts, levelOf, total) {
    // Beyond ½ log n one level outweighs all lower ones: no larger β decides differently.
    const beta = Math.min(this.beta, 0.5 * Math.log(total) + 0.5);
    let first = -1;
    let sum = 0;
    for (let at = counts.length - 1; at >= 0; at -= 1) {
      if (counts[at] === 0) continue;
      if (first < 0) first = at;
      sum += counts[at] * Math.exp(beta * (levelOf(at) - levelOf(first)));
    }
    return Math.sign(sum);
  }
}

/** F(s) = max p·s + β⁻¹(H(p) − H(1/n)), ∇F = α-entmax(βs); α = 2 is sparsemax. */
export class Entmax {
  constructor(alpha, beta) {
    this.alpha = alpha;
    this.beta = beta;
  }

  get inverseWidth() {
    return (this.alpha - 1) * this.beta;
  }

  get cutoff() {
    return 1 / this.inverseWidth;
  }

  weights(scores) {
    const top = scores[argmax(scores)];
    const power = 1 / (this.alpha - 1);
    const z = scores.map((score) => (this.alpha - 1) * this.beta * (score - top));
    const threshold = thresholdOf(z, power);
    return scaledToOne(z.map((value) => Math.max(0, value - threshold) ** power));
  }

  potential(scores) {
    const { alpha, beta } = this;
    const top = scores[argmax(scores)];
    const weights = this.weights(scores);
    const count = scores.length;
    let mean = 0;
    let divergence = 0;
    weights.forEach((weight, i) => {
      const d = count * weight - 1;
      mean += weight * (scores[i] - top);
      const gain = (1 + d) * Math.expm1((alpha - 1) * Math.log1p(d)) - (alpha - 1) * d;
      divergence += weight > 0 ? gain : alpha - 1;
    });
    return top + mean - (count ** -alpha * divergence) / (alpha * (alpha - 1) * beta);
  }
}

/** Find τ with Σ [z − τ]₊^power = 1 by Newton's steps from below, which never pass τ. */
function thresholdOf(z, power) {
  let tau = -1;
  for (let round = 0; round < 100; round += 1) {
    let slope = 0;
    let total = 0;
    for (const value of z) {
      const t = value - tau;
      if (t <= 0) continue;
      slope += t ** (power - 1);
      total += t ** power;
    }
    const step = (total - total ** (1 - 1 / power)) / slope;
    tau += step;
    if (step <= 1e-16) break;
  }
  return tau;
}

/** Softmax over the k largest scores; those that tie for the last places share them. */
export class TopK {
  cutoff = Infinity;

  constructor(k, beta) {
    this.k = k;
    this.beta = beta;
  }

  get inverseWidth() {
    return this.beta;
  }

  weights(scores) {
    const last = this.largest(scores).at(-1);
    const larger = scores.reduce((count, score) => count + (score > last), 0);
    const tied = scores.reduce((count, score) => count + (score === last), 0);
    const share = (Math.min(this.k, scores.length) - larger) / tied;
    const top = scores[argmax(scores)];
    return scaledToOne(
      scores.map((score) => {
        const places = score > last ? 1 : score === last ? share : 0;
        return places * Math.exp(this.beta * (score - top));
      }),
    );
  }

  potential(scores) {
    return new Softmax(this.beta).potential(this.largest(scores));
  }

  largest(scores) {
    return scores.toSorted((a, b) => b - a).slice(0, this.k);
  }
}

/** F(s) = Σ uᵈ with u = s, or max(0, s) where rectified (Krotov & Hopfield 2016). */
export class Polynomial {
  constructor(degree, rectified = false) {
    this.degree = degree;
    this.rectified = rectified;
  }

  base(score) {
    return this.rectified ? Math.max(0, score) : score;
  }

  /** Return the shares |w|/Σ|w| of the weights w = d uᵈ⁻¹. */
  weights(scores) {
    const sizes = scores.map((score) =>
      this.rectified && score <= 0 ? 0 : Math.abs(this.base(score)) ** (this.degree - 1),
    );
    return sizes.some((size) => size > 0) ? scaledToOne(sizes) : sizes;
  }

  potential(scores) {
    return scores.reduce((sum, score) => sum + this.base(score) ** this.degree, 0);
  }

  /** Return the sign of Σ count·(f(level + 1) − f(level − 1)), exactly. */
  signOfCounts(counts, levelOf) {
    let sum = 0;
    let size = 0;
    for (let at = 0; at < counts.length; at += 1) {
      if (counts[at] === 0) continue;
      const term = counts[at] * this.gain(levelOf(at));
      sum += term;
      size += Math.abs(term);
    }
    return size < Number.MAX_SAFE_INTEGER ? Math.sign(sum) : this.exactSign(counts, levelOf);
  }

  gain(level) {
    return this.base(level + 1) ** this.degree - this.base(level - 1) ** this.degree;
  }

  exactSign(counts, levelOf) {
    const degree = BigInt(this.degree);
    const power = (level) => BigInt(this.base(level)) ** degree;
    let sum = 0n;
    for (let at = 0; at < counts.length; at += 1) {
      if (counts[at] === 0) continue;
      const level = levelOf(at);
      sum += BigInt(counts[at]) * (power(level + 1) - power(level - 1));
    }
    return sum > 0n ? 1 : sum < 0n ? -1 : 0;
  }
}

/** Learning rules of the classical network: patterns of ±1 in, a coupling W out. */

/** The most passes of the perceptron rule, so that no choice of patterns stops the page. */
export const PASSES = 60;

/**
 * A coupling: the field of unit i is scale·Σ_j entries_ij x_j − threshold, and 0 up to `slack`.
 * The diagonal is 0. Whole numbers as entries make sums of Hebb's rule exact.
 */
class Coupling {
  constructor(entries, dim, { scale = 1, threshold = 0, slack = 0 } = {}) {
    Object.assign(this, { entries, dim, scale, threshold, slack });
    for (let i = 0; i < dim; i += 1) entries[i * dim + i] = 0;
  }

  field(state, i) {
    return fieldOf(this.entries, state, i) * this.scale - this.threshold;
  }

  /** E = −½ xᵀWx + b·x. */
  energy(state) {
    let value = 0;
    for (let i = 0; i < this.dim; i += 1) {
      if (state[i] === 0) continue;
      const field = this.field(state, i);
      value += state[i] * (this.threshold - (field + this.threshold) / 2);
    }
    return value;
  }
}

function addOuterProduct(entries, row, factor = 1) {
  const dim = row.length;
  for (let i = 0; i < dim; i += 1) {
    const first = factor * row[i];
    if (first === 0) continue;
    for (let j = 0; j < dim; j += 1) entries[i * dim + j] += first * row[j];
  }
}

function sumOfProducts(rows) {
  const dim = rows[0].length;
  const entries = new Float64Array(dim * dim);
  for (const row of rows) addOuterProduct(entries, row);
  return entries;
}

/** Bound the rounding of a field that is 0: a few units in the last place of ‖W_i‖‖x‖. */
function roundingOf(entries, dim, scale) {
  let largest = 0;
  for (let i = 0; i < dim; i += 1) {
    let square = 0;
    for (let j = 0; j < dim; j += 1) square += entries[i * dim + j] ** 2;
    largest = Math.max(largest, Math.sqrt(square));
  }
  return 8 * Number.EPSILON * scale * largest * Math.sqrt(dim);
}

function hebbian(rows) {
  const dim = rows[0].length;
  return new Coupling(sumOfProducts(rows), dim, { scale: 1 / dim });
}

function covariance(rows) {
  const dim = rows[0].length;
  let mean = 0;
  for (const row of rows) for (const value of row) mean += value;
  mean /= rows.length * dim;
  const entries = sumOfProducts(rows.map((row) => row.map((value) => value - mean)));
  const copies = new Map();
  for (const row of rows) copies.set(row.join(), (copies.get(row.join()) ?? 0) + 1);
  const times = rows.reduce((sum, row) => sum + copies.get(row.join()), 0) / rows.length;
  const scale = -mean * times;
  const slack = roundingOf(entries, dim, 1 / dim) + 8 * Number.EPSILON * Math.abs(scale);
  return new Coupling(entries, dim, { scale: 1 / dim, threshold: scale * (1 - mean ** 2), slack });
}

function pseudoInverse(rows) {
  const dim = rows[0].length;
  const basis = [];
  for (const row of rows) {
    if (basis.length === dim) break;
    const left = Float64Array.from(row);
    // Twice, or rounding leaves some of the earlier rows.
    for (let round = 0; round < 2; round += 1) {
      for (const direction of basis) {
        const along = dotProduct(direction, left);
        for (let i = 0; i < dim; i += 1) left[i] -= along * direction[i];
      }
    }
    const norm = Math.sqrt(dotProduct(left, left));
    if (norm > 1e-7 * Math.sqrt(dim)) basis.push(left.map((value) => value / norm));
  }
  const entries = sumOfProducts(basis);
  return new Coupling(entries, dim, { slack: roundingOf(entries, dim, 1) });
}

function storkey(rows) {
  const dim = rows[0].length;
  const entries = new Float64Array(dim * dim);
  for (const row of rows) {
    const a = new Float64Array(dim);
    for (let i = 0; i < dim; i += 1) {
      for (let j = 0; j < dim; j += 1) if (j !== i) a[i] += entries[i * dim + j] * row[j];
    }
    for (let i = 0; i < dim; i += 1) {
      for (let j = 0; j < dim; j += 1) {
        if (j === i) continue;
        const at = i * dim + j;
        entries[at] += (row[i] * (row[j] - a[j]) - a[i] * row[j] + 2 * entries[at]) / dim;
      }
    }
  }
  return new Coupling(entries, dim, { slack: roundingOf(entries, dim, 1) });
}

/**
 * The perceptron rule with W = Wᵀ: each pass adds x_μi x_μj to W_ij and W_ji for all patterns of
 * which unit i has a field of the wrong sign, until none has.
 */
function perceptron(rows) {
  const dim = rows[0].length;
  const signs = rows.map((row) => Int8Array.from(row));
  const entries = new Int32Array(dim * dim);
  let failing = signs.map(() => new Uint8Array(dim).fill(1));
  let aligned = 0;
  for (let pass = 0; pass < PASSES && failing.some((units) => units.includes(1)); pass += 1) {
    growSymmetrically(entries, signs, failing);
    aligned = 0;
    failing = signs.map((row) => {
      const units = new Uint8Array(dim);
      for (let i = 0; i < dim; i += 1) {
        const product = row[i] * fieldOf(entries, row, i);
        aligned += product;
        if (product <= 0) units[i] = 1;
      }
      return units;
    });
  }
  // A power of two keeps whole numbers exact, and fields of about 1.
  const mean = Math.max(1, aligned / (rows.length * dim));
  return new Coupling(entries, dim, { scale: 2 ** -Math.round(Math.log2(mean)) });
}

function growSymmetrically(entries, rows, failing) {
  const dim = rows[0].length;
  const growth = new Int32Array(dim * dim);
  rows.forEach((row, mu) => {
    for (let i = 0; i < dim; i += 1) {
      if (!failing[mu][i]) continue;
      const start = i * dim;
      const sign = row[i];
      for (let j = 0; j < dim; j += 1) growth[start + j] += sign * row[j];
    }
  });
  for (let i = 0; i < dim; i += 1) {
    for (let j = 0; j < dim; j += 1) {
      if (i !== j) entries[i * dim + j] += growth[i * dim + j] + growth[j * dim + i];
    }
  }
}

function fieldOf(entries, state, i) {
  const start = i * state.length;
  let sum = 0;
  for (let j = 0; j < state.length; j += 1) sum += entries[start + j] * state[j];
  return sum;
}

/** x·y. */
export function dotProduct(x, y) {
  let sum = 0;
  for (let i = 0; i < x.length; i += 1) sum += x[i] * y[i];
  return sum;
}

export const RULES = { hebbian, covariance, pseudo_inverse: pseudoInverse, storkey, perceptron };

/** Three networks. Each makes steps, and gives energies and the weights of the patterns. */

import { fittedBeta } from "./fitting.js";
import { dotProduct, RULES } from "./rules.js";
import { argmax, Entmax, Polynomial, Softmax, TopK } from "./separation.js";

const TOLERANCE = 1e-4;

/** Hopfield 1982: x_i' = sign(h_i), E = −½ xᵀWx + b·x; with T > 0 units flip by chance. */
export class Classical {
  binary = true;

  constructor(rows, { rule = "hebbian", schedule = "asynchronous", temperature = 0 } = {}) {
    Object.assign(this, { rows, schedule, temperature });
    this.coupling = RULES[rule](rows);
    this.settles = temperature === 0;
    this.mayCycle = schedule === "synchronous" && this.settles;
  }

  step(state, known, held, generator) {
    const { coupling, temperature } = this;
    const next = Float64Array.from(state);
    const order = this.schedule === "synchronous" ? null : visits(state.length, held, generator);
    const cuts = temperature > 0 ? thermalCuts(state.length, temperature, generator) : null;
    const source = order ? next : state;
    for (const i of order ?? state.keys()) {
      if (held?.[i]) continue;
      const field = coupling.field(source, i);
      if (cuts) next[i] = field > cuts[i] ? 1 : -1;
      else if (Math.abs(field) > coupling.slack) next[i] = Math.sign(field);
    }
    return next;
  }

  energy(state) {
    return this.coupling.energy(state);
  }

  /** Return the overlaps x_μ·x/N: this network has no weights. */
  weights(state) {
    return this.scores(state).map((score) => score / state.length);
  }

  scores(state) {
    return productsWith(this.rows, state);
  }
}

/** Krotov & Hopfield 2016, Demircigil et al. 2017: each unit takes the value of lower energy. */
export class Dense {
  binary = true;
  settles = true;

  constructor(rows, { separation, schedule = "synchronous" }) {
    Object.assign(this, { rows, separation, schedule });
    // The values of one unit in all patterns side by side: fields read them unit by unit.
    this.columns = Array.from(rows[0], (_, i) => Int8Array.from(rows, (row) => row[i]));
    this.mayCycle = schedule === "synchronous";
  }

  step(state, known, held, generator) {
    const next = Float64Array.from(state);
    const scores = this.scores(state);
    if (this.schedule === "synchronous") {
      for (let i = 0; i < state.length; i += 1) {
        if (!held?.[i]) next[i] = this.signOf(scores, state, i) || state[i];
      }
      return next;
    }
    for (const i of visits(state.length, held, generator)) {
      const value = this.signOf(scores, next, i) || next[i];
      const change = value - next[i];
      if (change !== 0) this.rows.forEach((row, mu) => (scores[mu] += change * row[i]));
      next[i] = value;
    }
    return next;
  }

  /** Return the sign of F(s | x_i = +1) − F(s | x_i = −1), from the patterns at each level. */
  signOf(scores, state, i) {
    const dim = state.length;
    const counts = new Int32Array(2 * dim + 3);
    const column = this.columns[i];
    for (let mu = 0; mu < scores.length; mu += 1) {
      const value = column[mu];
      counts[scores[mu] - value * state[i] + dim + 1] += value;
    }
    return this.separation.signOfCounts(counts, (at) => at - dim - 1, scores.length);
  }

  energy(state) {
    return -this.separation.potential(this.scores(state));
  }

  weights(state) {
    return this.separation.weights(this.scores(state));
  }

  scores(state) {
    return productsWith(this.rows, state);
  }
}

/** Ramsauer et al. 2021: x' = Xᵀ∇F(s), with E = ½‖x‖² − F(s) + ½M², or −F(s) for distances. */
export class Modern {
  binary = false;
  settles = true;
  mayCycle = false;

  constructor(rows, { separation, similarity = "dot" }) {
    Object.assign(this, { rows, separation, similarity });
    this.halfSquares =
      similarity === "dot" ? Math.max(...rows.map((x) => dotProduct(x, x))) / 2 : 0;
    const width = separation.inverseWidth ** -0.5;
    this.tolerance = deviations(rows).map((deviation) => TOLERANCE * Math.min(deviation, width));
  }

  step(state, known, held) {
    const weights = this.weights(state, known);
    const next = new Float64Array(state.length);
    this.rows.forEach((row, mu) => {
      const weight = weights[mu];
      if (weight > 0) for (let i = 0; i < row.length; i += 1) next[i] += weight * row[i];
    });
    return held ? next.map((value, i) => (held[i] ? state[i] : value)) : next;
  }

  scores(state, known) {
    if (this.similarity === "dot") return productsWith(this.rows, masked(state, known));
    return Float64Array.from(this.rows, (row) => {
      let sum = 0;
      for (let i = 0; i < row.length; i += 1) {
        if (!known || known[i]) sum += (row[i] - state[i]) ** 2;
      }
      return -sum / 2;
    });
  }

  weights(state, known) {
    return this.separation.weights(this.scores(state, known));
  }

  energy(state, known) {
    const potential = this.separation.potential(this.scores(state, known));
    if (this.similarity !== "dot") return -potential;
    const seen = masked(state, known);
    return dotProduct(seen, seen) / 2 - potential + this.halfSquares;
  }

  /** Return true if one more read changes no entry by an amount that matters. */
  hasSettled(state, next) {
    return next.every((value, i) => {
      const rounding = 4 * Number.EPSILON * Math.max(Math.abs(value), Math.abs(state[i]));
      return Math.abs(value - state[i]) <= this.tolerance[i] + rounding;
    });
  }
}

/** Make a separation from its name and parameters. */
export function makeSeparation({ name, beta, k, degree }) {
  const makers = {
    softmax: () => new Softmax(beta),
    sparsemax: () => new Entmax(2, beta),
    entmax: () => new Entmax(1.5, beta),
    topk: () => new TopK(k, beta),
    polynomial: () => new Polynomial(degree),
    rectified: () => new Polynomial(degree, true),
  };
  return makers[name]();
}

/**
 * Make a network of these rows: `kind` is classical, dense or modern. In a modern one β can be
 * "auto": the patterns decide.
 */
export function makeNetwork(rows, { kind, separation, ...options }) {
  if (kind === "classical") return new Classical(rows, options);
  const of = (beta) => ({ ...options, separation: makeSeparation({ ...separation, beta }) });
  if (kind === "dense") return new Dense(rows, of(separation.beta));
  const isFitted = separation.beta === "auto";
  const beta = isFitted ? fittedBeta(new Modern(rows, of(1))) : separation.beta;
  return new Modern(rows, of(beta));
}

/** Return the place of the strongest pattern: that of the largest score. */
export function strongestOf(network, state, known) {
  return argmax(network.scores(state, known));
}

function visits(dim, held, generator) {
  const order = generator.permutation(dim);
  return held ? order.filter((i) => !held[i]) : order;
}

/** Return ½T log(u/(1 − u)) per unit: a field h exceeds it with probability sigmoid(2h/T). */
function thermalCuts(dim, temperature, generator) {
  return Float64Array.from({ length: dim }, () => {
    const u = generator.uniform();
    return (temperature / 2) * Math.log(u / (1 - u));
  });
}

function productsWith(rows, state) {
  return Float64Array.from(rows, (row) => dotProduct(row, state));
}

function masked(state, known) {
  return known ? state.map((value, i) => (known[i] ? value : 0)) : state;
}

function deviations(rows) {
  const count = rows.length;
  return rows[0].map((_, i) => {
    const mean = rows.reduce((sum, row) => sum + row[i], 0) / count;
    return Math.sqrt(rows.reduce((sum, row) => sum + (row[i] - mean) ** 2, 0) / count);
  });
}

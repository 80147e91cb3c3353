/** The β that fits the stored patterns, as `ModernHopfield(beta="auto")` finds it. */

import { Generator } from "./random.js";
import { dotProduct } from "./rules.js";

const LEAD_KEPT = 0.25;
const OTHERS_WEIGHT = 0.01;
const QUANTILE = 0.95;
/** The most patterns that are compared with all others. */
export const SAMPLE = 256;
const LEAST_SAMPLE = 32;
const SAMPLE_SCORES = 2 ** 19;
const MOST_ROUNDS = 200;

/**
 * Return the smallest β at which cues find 95 % of the patterns of a modern network, although
 * damage leaves them a quarter of their lead over the others.
 *
 * At pattern x_i let Δ_iν be the lead of the best score over that of pattern ν. The best one has
 * weight 1/(1 + ε) if Σ_ν exp(−β c Δ_iν) = ε, or, where weights can be 0, if no other has any.
 */
export function fittedBeta(network) {
  const { cutoff, inverseWidth } = network.separation;
  const squares = network.rows.map((row) => dotProduct(row, row));
  const betas = [];
  for (const row of distinct(sampleOf(network.rows))) {
    const { lead, best } = leadsOf(network, row, squares);
    if (lead.length <= OTHERS_WEIGHT * best) continue;
    const kept = lead.map((value) => LEAD_KEPT * value);
    const isSparse = cutoff * inverseWidth <= 1;
    const least = kept.reduce((low, value) => Math.min(low, value), Infinity);
    betas.push(isSparse ? cutoff / least : softmaxBeta(kept, 1 / best) / inverseWidth);
  }
  return betas.length ? quantile(betas, QUANTILE) : 1;
}

/** Return the leads that exceed rounding, and the number of patterns that score best. */
function leadsOf(network, row, squares) {
  const all = network.scores(row);
  const top = all.reduce((high, score) => Math.max(high, score), -Infinity);
  const size = dotProduct(row, row);
  const lead = [];
  all.forEach((score, mu) => {
    const rounding = (Number.EPSILON * (size + squares[mu])) / 2;
    if (top - score > rounding) lead.push(top - score);
  });
  return { lead, best: all.length - lead.length };
}

/** Solve Σ_ν v exp(−β Δ_ν) = ε for β by Newton's steps, in units of the largest lead. */
function softmaxBeta(lead, factor) {
  const unit = lead.reduce((high, value) => Math.max(high, value), 0);
  const scaled = lead.map((value) => value / unit);
  let beta = 0;
  for (let round = 0; round < MOST_ROUNDS; round += 1) {
    const first = scaled.reduce((high, value) => Math.max(high, -beta * value), -Infinity);
    let sum = 0;
    let moment = 0;
    for (const value of scaled) {
      const part = Math.exp(-beta * value - first);
      sum += part;
      moment += part * value;
    }
    const step = ((first + Math.log(factor * sum) - Math.log(OTHERS_WEIGHT)) * sum) / moment;
    beta = Math.max(0, beta + step);
    if (Math.abs(step) <= 1e-13 * beta) break;
  }
  return beta / unit;
}

/** Return the patterns to compare with all others: at equal ranks of a random projection. */
function sampleOf(rows) {
  const count = rows.length;
  const size = Math.max(LEAST_SAMPLE, Math.min(SAMPLE, Math.floor(SAMPLE_SCORES / count)));
  if (count <= size) return rows;
  const direction = new Generator(0).normals(rows[0].length);
  const projections = rows.map((row) => dotProduct(row, direction));
  const order = [...rows.keys()].sort((a, b) => projections[a] - projections[b]);
  return Array.from(
    { length: size },
    (_, i) => rows[order[Math.floor((i + 0.5) * (count / size))]],
  );
}

const distinct = (rows) => [...new Map(rows.map((row) => [row.join(), row])).values()];

/** Return a quantile, between the two nearest values in proportion. */
function quantile(values, share) {
  const sorted = Float64Array.from(values).sort();
  const place = share * (sorted.length - 1);
  const below = Math.floor(place);
  const above = Math.min(sorted.length - 1, below + 1);
  return sorted[below] + (place - below) * (sorted[above] - sorted[below]);
}

// What temperature, top_k, top_p and min_p leave of a step's tokens: models/sample in a browser.
//
// A step has the logits of its candidates before temperature (null: ruled out), of which the `highest` highest are those
// of the whole vocabulary, and for some temperatures the logarithm of what all other tokens weigh. That is enough to say
// exactly what is drawn with which probability, unless more tokens are kept than are known, or tokens of the very same
// logit lie on both sides of an edge; `exact` tells.

const f32 = Math.fround;

// rest is what tokens that are no candidates weigh, beside a best one of weight 1; undefined where nobody said.
function restAt(step, temperature, best) {
  if (step.rest.length === 0) return 0;
  const at = step.temperatures.findIndex((t) => Math.abs(t - temperature) < 1e-9);
  if (at < 0) return undefined;
  return step.rest[at] === null ? 0 : Math.exp(step.rest[at] - best / temperature);
}

// topP is how many of the first weights are kept: those whose probabilities, added up from the lowest, exceed what may go.
function topP(weights, total, share) {
  const gone = f32(1 - share);
  let above = 0;
  for (let n = 0; n < weights.length; n++) {
    if (n > 0 && f32((total - above) / total) <= gone) return n;
    above += weights[n];
  }
  return weights.length;
}

// distribution gives the probability of each candidate, 0 for one that is not kept, in the candidates' order.
export function distribution(step, {temperature, topK = 0, topP: share = 1, minP = 0}) {
  const after = new Array(step.scores.length).fill(0);
  const order = step.scores.map((_, i) => i).filter((i) => step.scores[i] !== null)
    .sort((a, b) => step.scores[b] - step.scores[a] || a - b);
  if (order.length === 0) return {after, kept: 0, exact: false};
  const best = step.scores[order[0]];
  const t = f32(temperature);
  if (!(t > 0) || !Number.isFinite(f32(best / t))) {
    after[order[0]] = 1;
    return {after, kept: 1, exact: true};
  }
  const top = f32(best / t);
  const scores = order.map((i) => f32(step.scores[i] / t));
  const weights = scores.map((s) => f32(Math.exp(s - top)));
  const known = Math.min(step.highest, order.length); // behind them others may come that are no candidates
  let rest = restAt(step, temperature, best);
  const others = rest === undefined || rest > 0; // there are tokens that are no candidates
  let tied = false; // equals lie on both sides of an edge, or the edge is not known
  let beyond = others; // tokens may be kept that are no candidates
  let kept = order.length;
  const cut = (n) => { // the first n stay, and nothing that is not known
    kept = n;
    rest = 0;
    beyond = false;
  };

  let unmeasured = rest === undefined;
  if (topK > 0 && topK <= known && topK < order.length) {
    let n = topK;
    while (n < known && scores[n] === scores[topK - 1]) n++; // all that tie with the last one
    if (n === known && others) tied = scores[n - 1] === scores[topK - 1] && topK < known;
    unmeasured = false;
    cut(n);
  } else if (topK > 0 && others) {
    unmeasured = true; // how much of the rest stays, nobody said
  }
  const sum = () => weights.slice(0, kept).reduce((a, b) => a + b, 0) + (rest ?? 0);
  if (share > 0 && share < 1) {
    const seen = beyond ? known : kept;
    const n = topP(weights.slice(0, seen), sum(), share);
    if (n < seen || !beyond) {
      if (unmeasured || (n < kept && scores[n] === scores[n - 1])) tied = true; // which of equals stay is the sort's to say
      cut(n);
    } else {
      unmeasured = true;
    }
  }
  if (minP > 0) {
    const total = f32(sum());
    const least = f32(f32(minP) * f32(1 / total));
    let n = 1;
    while (n < kept && f32(weights[n] / total) >= least) n++;
    if (!beyond || n < known) {
      unmeasured = unmeasured && !beyond;
      cut(n);
    } else {
      unmeasured = true;
    }
  }
  const exact = !tied && !unmeasured;
  if (rest === undefined) return {after: null, kept: null, exact};
  const total = sum();
  for (let n = 0; n < kept; n++) after[order[n]] = weights[n] / total;
  return {after, kept: beyond ? null : kept, exact};
}

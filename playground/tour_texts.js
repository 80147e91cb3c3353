/**
 * The texts of the tours. A step has a title, a text, the settings that differ from the default
 * ones, and what the retrieval must show: [kind of end, whether it is the pattern of the cue].
 * The source of a tour is the passage of a tutorial that it follows.
 */

const CLASSICAL = { network: "classical", explore: "landscape" };
const PAPER = { hiddenAs: "background" };
const WHOLE = "zzl"; // 64 pixels, none hidden

const one = {
  title: "1 · One digit",
  source:
    "The walkthrough, one of the two tutorials on which these tours follow, uses digits of 28 × 28 pixels. It stores one by W += digit @ digit.T, and updates by binarize(W @ z). Its binarize gives the negative of the sign: this, and no symmetry of the energy, inverts its reconstructions. Here an update is the sign itself.",
  steps: [
    {
      title: "store it, cover half, recall it",
      text: "One digit is stored in the coupling W = x xᵀ/N. In the cue the lower half is covered with paper, which counts as evidence, as in the walkthrough. One sweep restores the digit. Look at the energy: it falls to its minimum, also on the slice under Explore.",
      set: { ...CLASSICAL, ...PAPER, count: 1, source: 0 },
      expect: ["stored", true],
    },
    {
      title: "the negative is stored too",
      text: "The cue is the digit with ink and paper exchanged. It stays as it is: x and −x have the same energy when there are no thresholds. This is why reconstructions are sometimes flipped.",
      set: {
        ...CLASSICAL,
        count: 1,
        source: 0,
        cue: "QQQbQQQQQdQQQQAQQbQQQAQQbQQQAQQbQQQAQQAQQQQAQbQQQQQbQQQ",
        hidden: WHOLE,
      },
      expect: ["inverse", false],
    },
    {
      title: "two digits still work",
      text: "Two digits share one matrix, W = (x₁x₁ᵀ + x₂x₂ᵀ)/N. The cue is half of the 1. Look at the overlaps below: the 1 has overlap 1, and the 0 stays positive, because all digits have paper in common.",
      set: { ...CLASSICAL, ...PAPER, count: 2, source: 1 },
      expect: ["stored", true],
    },
  ],
};

const several = {
  title: "2 · More digits, and failure",
  source:
    "The walkthrough, where it adds digits to W until the network fails. It hides half of the cue with ink, which counts as evidence. Here the half is covered with paper.",
  steps: [
    {
      title: "four digits blend",
      text: "With four digits of 8 × 8 pixels Hebb's rule fails: it ends at a mixture. The walkthrough, with 28 × 28 pixels, sees the same at ten. Open “Why?” under Explore: not even the undamaged 3 is stable.",
      set: { ...CLASSICAL, ...PAPER, count: 4, source: 3, explore: "why" },
      expect: ["mixture", false],
    },
    {
      title: "the number is not to blame",
      text: "Ten random patterns in the same kind of network come back without an error. Their overlaps below are near 0, those of digits are mostly above 0.2. Correlation causes the failure, not the capacity.",
      set: { ...CLASSICAL, data: "random", count: 10, source: 3 },
      expect: ["stored", true],
    },
    {
      title: "another rule copes",
      text: "The pseudo-inverse removes what the patterns have in common: ten digits come back from their upper halves. Move “Stored” to 30 and it fails as well.",
      set: { ...CLASSICAL, rule: "pseudo_inverse", count: 10, source: 3 },
      expect: ["stored", true],
    },
    {
      title: "compare three networks",
      text: "“Compare” recalls the same cue in three networks. Green boxes count the pictures up to which each recalls it. Press “Add pictures until it fails”.",
      set: { ...CLASSICAL, count: 5, source: 3, explore: "compare" },
      expect: ["none", false],
    },
  ],
};

const dense = {
  title: "3 · A dense network",
  source:
    "The walkthrough: demircigil_update_rule(z, xs). Its text writes the update as −sign(E⁺ + E⁻), which is always +1; its code, sign(E⁻ − E⁺), is right. In the library: DenseHopfield(beta=0.1).update(z).",
  steps: [
    {
      title: "compare with each pattern",
      text: "The network of Demircigil et al. keeps the patterns and gives each unit the value of lower energy, with F = β⁻¹ log mean exp(βs). The walkthrough divides scores by 10, which is β = 0.1. Ten digits are stored, and the 0 comes back.",
      set: {
        network: "dense",
        schedule: "synchronous",
        beta: 0.1,
        ...PAPER,
        source: 0,
        explore: "compare",
      },
      expect: ["stored", true],
    },
    {
      title: "a hundred digits, and mistakes",
      text: "With 100 digits at the same β the patterns blur together. It ends at none of them.",
      set: {
        network: "dense",
        schedule: "synchronous",
        beta: 0.1,
        ...PAPER,
        source: 5,
        count: 100,
        explore: "why",
      },
      expect: ["none", false],
    },
    {
      title: "raise β, and leave the hidden half out",
      text: "At β = 1 the best pattern outweighs the rest. The hidden half is now unknown instead of paper, so that it adds nothing to any score. The same 5 comes back from among 100. Try “count as paper” under the cue.",
      set: {
        network: "dense",
        schedule: "synchronous",
        beta: 1,
        source: 5,
        count: 100,
        explore: "compare",
      },
      expect: ["stored", true],
    },
  ],
};

const grey = {
  title: "4 · Grey levels",
  source:
    "The walkthrough: continuous_update_rule(X, z, beta). It concludes that similar images defeat even this network. That holds for dot products, which favour images with much ink, and not for distances over known pixels. In the library: ModernHopfield(beta).update(z).",
  steps: [
    {
      title: "the continuous network",
      text: "States are now numbers between 0 and 1, and an update is x′ = Xᵀ softmax(βXx), here at β = 8 as in the walkthrough. Half of the 1 is covered with 0, and it comes back.",
      set: { similarity: "dot", beta: 8, ...PAPER, source: 1 },
      expect: ["stored", true],
    },
    {
      title: "dot products favour much ink",
      text: "The 3 ends at the 5. A dot product grows with the ink of a pattern, so that a bright one beats the right one.",
      set: { similarity: "dot", beta: 8, ...PAPER, source: 3, explore: "why" },
      expect: ["stored", false],
    },
    {
      title: "a hundred, by distance",
      text: "With Euclidean distances, and the hidden half unknown, every distinct pattern can be recalled. The 3 comes back from among 100.",
      set: { beta: 8, count: 100, source: 3 },
      expect: ["stored", true],
    },
    {
      title: "a thousand need more β",
      text: "Among 1000 digits many are alike. At β = 8 some twenty of them share the weights, and the state is their mean.",
      set: { beta: 8, count: 1000, source: 3 },
      expect: ["mixture", false],
    },
    {
      title: "β = 30",
      text: "A larger β tells near neighbours apart. The same cue now finds its digit among 1000.",
      set: { beta: 30, count: 1000, source: 3 },
      expect: ["stored", true],
    },
  ],
};

const sharp = {
  title: "5 · β from blur to pattern",
  source:
    "The tutorial “from scratch”: ModernHopfield.retrieve(query, beta, steps), with one β for each call. In the library a memory has one β: ModernHopfield(beta). Sparse separations are in neither tutorial: Hu et al. 2023, Santos et al. 2024.",
  steps: [
    {
      title: "small β",
      text: "At β = 0.1 all ten digits have nearly the same weight, and the hidden half becomes their mean: a metastable state. Look at the strongest patterns below.",
      set: { beta: 0.1, source: 0 },
      expect: ["mixture", false],
    },
    {
      title: "in between",
      text: "At β = 0.5 the 0 leads, with a quarter of the weight. Move β under Explore and watch the curve: it counts the patterns that share 0.9 of the weights.",
      set: { beta: 0.5, source: 0 },
      expect: ["mixture", false],
    },
    {
      title: "large β",
      text: "At β = 8 one pattern has all of the weight. The energy landscape is steep, and every attractor is a stored pattern. The slice under Explore has one dip for each of the two.",
      set: { beta: 8, source: 0, explore: "landscape" },
      expect: ["stored", true],
    },
    {
      title: "weights that are exactly 0",
      text: "Sparsemax at β = 0.5, where softmax blends nine patterns: here only three have any weight, and the others have exactly 0. Try entmax-1.5 and top-k.",
      set: { separation: "sparsemax", beta: 0.5, source: 0 },
      expect: ["stored", true],
    },
  ],
};

const units = {
  title: "6 · One unit at a time",
  source:
    'The tutorial “from scratch”, under “Why asynchronous?”: all neurons at once can oscillate between two states, one at a time the energy can only fall. In the library: ClassicalHopfield(schedule="asynchronous"), which is the default.',
  steps: [
    {
      title: "asynchronous sweeps",
      text: "Forty random patterns are too many for 256 units, and a quarter of the cue is wrong. One unit after another takes the sign of its field. No flip can raise the energy: step through the sweeps and watch it fall.",
      set: { ...CLASSICAL, ...PAPER, data: "random", count: 40, source: 34 },
      expect: ["stored", true],
    },
    {
      title: "all at once: a cycle",
      text: "The same cue with all units updated at once. Each answers to a state that is gone in the next moment, and two states alternate for ever. Step back and forth between the last two.",
      set: {
        ...CLASSICAL,
        ...PAPER,
        data: "random",
        count: 40,
        source: 34,
        schedule: "synchronous",
      },
      expect: ["cycle", false],
    },
    {
      title: "temperature",
      text: "At temperature 1 units follow their field only with a probability. Ten patterns are stored, and the state wanders instead of settling. Lower the temperature until the pattern stands.",
      set: { ...CLASSICAL, data: "random", count: 10, source: 3, temperature: 1 },
      expect: ["none", false],
    },
  ],
};

const attention = {
  title: "7 · An update is attention",
  source:
    "The tutorial “from scratch”: attention_retrieve(query, beta), with β = 1/√d and K = V = X. In the library: hopfield.attention(query, patterns, beta).",
  steps: [
    {
      title: "β = 1/√d",
      text: "softmax(q Kᵀ/√d) V with K = V = X and d = 64 is one update at β = 1/8, shown here after one step. Its weights are those below: attention at this scale averages.",
      set: { similarity: "dot", beta: 0.125, source: 0, hidden: WHOLE, step: 1 },
      expect: ["mixture", false],
    },
    {
      title: "β = 8",
      text: "The same formula at β = 8 is a memory: the weight of one pattern is 1, and a stored pattern maps to itself.",
      set: { similarity: "dot", beta: 8, source: 1, hidden: WHOLE },
      expect: ["stored", true],
    },
    {
      title: "the same in Python",
      text: "“Show Python” above writes a script of the library for what is on screen. It gives the same pattern and the same energy.",
      set: { similarity: "dot", beta: 8, source: 1 },
      expect: ["stored", true],
    },
  ],
};

const unknown = {
  title: "8 · Known against unknown",
  source:
    "In neither tutorial: both let hidden pixels count as evidence. In the library: memory.retrieve(cue, known=mask).",
  steps: [
    {
      title: "covered with paper",
      text: "A thousand digits are stored. The lower half of the 1 is covered with paper, and paper counts as evidence: “no ink here”. Another 1 fits that better and wins.",
      set: { ...PAPER, beta: 30, count: 1000, source: 1 },
      expect: ["stored", false],
    },
    {
      title: "unknown",
      text: "The same pixels are now unknown, shown by hatching. They add nothing to any score; only the upper half decides, and the right 1 comes back. Nothing else was changed.",
      set: { beta: 30, count: 1000, source: 1 },
      expect: ["stored", true],
    },
    {
      title: "in a binary network",
      text: "A dense network, and half of the 2 as paper: a 1 wins.",
      set: {
        network: "dense",
        schedule: "synchronous",
        ...PAPER,
        beta: 1,
        count: 100,
        source: 2,
        explore: "why",
      },
      expect: ["stored", false],
    },
    {
      title: "unknown units are 0",
      text: "Unknown units start at 0 and add nothing until their first update. Known pixels are held. The 2 comes back.",
      set: {
        network: "dense",
        schedule: "synchronous",
        beta: 1,
        count: 100,
        source: 2,
        explore: "why",
      },
      expect: ["stored", true],
    },
    {
      title: "your turn",
      text: "Hide other parts with the brush, or store a drawing of your own and recall it from a piece. “Basin” under Explore measures how many pixels may be unknown.",
      set: { beta: 30, count: 100, source: 8, explore: "basin", basin: "hide" },
      expect: ["stored", true],
    },
  ],
};

export const TOURS = { one, several, dense, grey, sharp, units, attention, unknown };

export default {
  extends: "stylelint-config-standard",
  rules: {
    // Lines are the author's; what they say is checked.
    "at-rule-empty-line-before": null,
    "color-hex-length": null,
    "comment-empty-line-before": null,
    "custom-property-empty-line-before": null,
    "declaration-empty-line-before": null,
    "rule-empty-line-before": null,
    "value-keyword-case": ["lower", { camelCaseSvgKeywords: true, ignoreKeywords: ["srgb"] }],
    // Browsers that are in use know no other way: text-size-adjust of Safari, ranges of widths before 2023.
    "media-feature-range-notation": "prefix",
    "property-no-vendor-prefix": null,
    // What is pressed and what is disabled come behind what they are told apart from.
    "no-descending-specificity": null,
  },
};

/** How high the dock can be, in pixels; at most so much that a chart remains. */
export const DOCK = { min: 132, max: 560, usual: 248 } as const;

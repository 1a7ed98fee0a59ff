// Preloaded in the place of the library: what any preloaded library costs.

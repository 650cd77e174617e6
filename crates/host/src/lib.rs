//! The world as traits: clock, disk, entropy; real and simulated.

//! Samples. (stub: owner E4)

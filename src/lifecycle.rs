//! Registration at providers. (stub: owner S2)

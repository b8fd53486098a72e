//! YAML with places. (stub: owner E1)

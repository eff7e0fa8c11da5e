//! weighhouse-models

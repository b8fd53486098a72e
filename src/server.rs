//! Accept loop and shutdown. (stub: lead)

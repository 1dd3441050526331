//! The body scanner, on prose and on a body full of escaped quotes.
fn main() {}

//! The data path against a provider made of bytes: what goes out, what comes back, and what a fault becomes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod mechanics {
    mod elsewhere;
    mod ending;
    mod passing;
    mod refusing;
    mod tls;

    mod rig;
    mod samples;
    mod upstream;
}

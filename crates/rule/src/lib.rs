//! Sigma and Falco rules compiled into one condition language and matched on events.

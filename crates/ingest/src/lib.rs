//! Inbound edges: audit webhook, file tail, standard input, import.

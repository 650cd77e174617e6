//! Rules and correlations over the log, in ledger order.

//! Fixtures and stand-ins for tests: recorded events, the API server's webhook client.

# Short names for what the scripts and cargo do; nothing needs this file.

# All checks, as CI runs them.
check:
    tests/run

# The gateway with a stand-in platform and synthetic carriers.
demo *args:
    cargo run --release -- demo {{args}}

# The recorded exchanges of all carriers.
carriers:
    cargo test --test carriers

# Licences, advisories and sources of the dependencies; needs cargo-deny.
deny:
    cargo deny check

//! Every small conversation.

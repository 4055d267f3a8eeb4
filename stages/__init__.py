"""The stages: one package per capability, in the order of the data flow."""

"""What tests stand on: small real models, engines and editors, and the judges of what they do."""

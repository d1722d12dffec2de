"""Which activations carry a behaviour: put there from another run, exactly or to first order."""

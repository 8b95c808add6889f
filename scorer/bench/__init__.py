"""What a graph costs on this machine: in every runtime, and in every stage."""

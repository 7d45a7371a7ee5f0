"""What is measured; one module for what belongs together, one function a scenario."""

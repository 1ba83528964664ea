"""JSON to tensors and back: syntax, rows and columns, every dtype, numbers and text letter by letter."""

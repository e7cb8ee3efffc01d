"""What next-edit models are asked, each in the format that it was trained in. Imports `models`."""

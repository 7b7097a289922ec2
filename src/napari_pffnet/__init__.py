"""Instance segmentation of microscope images with PFFNet."""

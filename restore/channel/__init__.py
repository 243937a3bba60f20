"""The channel from the original to the receiver: degradations (noise, blur, downscaling), and JPEG coding."""

"""What happens to a picture on its way to the receiver: other problems (noise, blur, size), and JPEG coding."""

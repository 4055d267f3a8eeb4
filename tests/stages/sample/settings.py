"""Length and shape of the clips that the sample's tests make."""

SECONDS, SIZE, FPS = 3.0, 512, 25

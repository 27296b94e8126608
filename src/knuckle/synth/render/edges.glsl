// Depth alone, at four samples per pixel.
in vec3 vertex;

void main() { gl_Position = projected(vertex); }

// Draws pictures on the graphics card, grey limits in the shader; joined with viewer.js to one module.

const COLOUR_MAPS = {
  Grey: ["#000000", "#ffffff"],
  Inverted: ["#ffffff", "#000000"],
  Viridis: ["#440154", "#472d7b", "#3b528b", "#2c728e", "#21918c", "#28ae80", "#5ec962", "#addc30", "#fde725"],
};

const VERTEX = `#version 300 es
in vec2 corner;
void main() { gl_Position = vec4(corner, 0.0, 1.0); }`;

const FRAGMENT = `#version 300 es
precision highp float;
precision highp sampler2D;
uniform sampler2D picture, colours;
uniform vec2 size, origin, limits;
uniform float stride, height, gain;
out vec4 colour;
float at(ivec2 p) { return texelFetch(picture, clamp(p, ivec2(0), ivec2(size) - 1), 0).r * gain; }
float between(vec2 q) {
  vec2 lower = floor(q - 0.5), part = q - 0.5 - lower;
  ivec2 p = ivec2(lower);
  return mix(mix(at(p), at(p + ivec2(1, 0)), part.x), mix(at(p + ivec2(0, 1)), at(p + ivec2(1, 1)), part.x), part.y);
}
float mean(vec2 q) {  // of the picture's pixels under one pixel of the screen
  int n = int(min(ceil(stride), 8.0));
  float sum = 0.0;
  for (int y = 0; y < n; y++) for (int x = 0; x < n; x++)
    sum += at(ivec2(q + stride * ((vec2(x, y) + 0.5) / float(n) - 0.5)));
  return sum / float(n * n);
}
void main() {
  vec2 q = origin + vec2(gl_FragCoord.x, height - gl_FragCoord.y) * stride;
  if (any(lessThan(q, vec2(0.0))) || any(greaterThanEqual(q, size))) { colour = vec4(0.0); return; }
  float value = stride > 1.0 ? mean(q) : stride > 0.3 ? between(q) : at(ivec2(q));
  float level = clamp((value - limits.x) / max(limits.y - limits.x, 1e-30), 0.0, 1.0);
  colour = isnan(value) ? vec4(0.0) : vec4(texture(colours, vec2((level * 255.0 + 0.5) / 256.0, 0.5)).rgb, 1.0);
}`;

/** The picture on the canvas; throws where there is no WebGL2. */
class Painter {
  constructor(canvas) {
    const gl = (this.gl = canvas.getContext("webgl2", { antialias: false, premultipliedAlpha: false, preserveDrawingBuffer: true }));
    if (!gl) throw new Error("no WebGL2");
    this.limit = gl.getParameter(gl.MAX_TEXTURE_SIZE);
    this.program = this.link();
    this.places = Object.fromEntries(
      ["picture", "colours", "size", "origin", "limits", "stride", "height", "gain"].map((name) => [name, gl.getUniformLocation(this.program, name)]),
    );
    gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ARRAY_BUFFER, new Float32Array([-1, -1, 3, -1, -1, 3]), gl.STATIC_DRAW);
    gl.enableVertexAttribArray(0);
    gl.vertexAttribPointer(0, 2, gl.FLOAT, false, 0, 0);
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    this.textures = [this.texture(0, gl.NEAREST), this.texture(1, gl.LINEAR)];
  }
  link() {
    const gl = this.gl, program = gl.createProgram();
    for (const [type, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
      const shader = gl.createShader(type);
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    gl.bindAttribLocation(program, 0, "corner");
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(program) || "shader");
    gl.useProgram(program);
    return program;
  }
  texture(unit, filter) {
    const gl = this.gl, texture = gl.createTexture();
    gl.activeTexture(gl.TEXTURE0 + unit);
    gl.bindTexture(gl.TEXTURE_2D, texture);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, filter);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, filter);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
    return texture;
  }
  upload({ data, width, height }) {
    const gl = this.gl, bytes = data instanceof Uint8Array;
    this.gain = bytes ? 255 : 1;
    gl.activeTexture(gl.TEXTURE0);
    if (bytes) gl.texImage2D(gl.TEXTURE_2D, 0, gl.R8, width, height, 0, gl.RED, gl.UNSIGNED_BYTE, data);
    else gl.texImage2D(gl.TEXTURE_2D, 0, gl.R32F, width, height, 0, gl.RED, gl.FLOAT, data instanceof Float32Array ? data : Float32Array.from(data));
  }
  colours(name) {
    const gl = this.gl;
    gl.activeTexture(gl.TEXTURE1);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGB8, 256, 1, 0, gl.RGB, gl.UNSIGNED_BYTE, colourTable(COLOUR_MAPS[name]));
  }
  clear() {
    this.gl.clearColor(0, 0, 0, 0);
    this.gl.clear(this.gl.COLOR_BUFFER_BIT);
  }
  paint(picture, origin, stride, limits) {
    const gl = this.gl, { canvas } = gl, at = this.places;
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.uniform1i(at.picture, 0);
    gl.uniform1i(at.colours, 1);
    gl.uniform2f(at.size, picture.width, picture.height);
    gl.uniform2f(at.origin, ...stored(picture, origin));
    gl.uniform2f(at.limits, ...limits);
    gl.uniform1f(at.stride, stride / picture.binning);
    gl.uniform1f(at.height, canvas.height);
    gl.uniform1f(at.gain, this.gain);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
  }
}

/** Where in a picture's data a place of the whole picture is. */
function stored({ width, height, binning, whole }, [x, y]) {
  return [(x - whole.width / 2) / binning + width / 2, (y - whole.height / 2) / binning + height / 2];
}

function colourTable(stops) {
  const rgb = stops.map((hex) => [1, 3, 5].map((start) => parseInt(hex.slice(start, start + 2), 16)));
  return Uint8Array.from({ length: 768 }, (_, index) => {
    const place = (Math.floor(index / 3) / 255) * (rgb.length - 1), below = Math.min(Math.floor(place), rgb.length - 2);
    return Math.round(rgb[below][index % 3] + (place - below) * (rgb[below + 1][index % 3] - rgb[below][index % 3]));
  });
}

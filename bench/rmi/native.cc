// The yardstick in native code: what the same machine takes for the same look-ups when nothing stands
// between the index and the processor. Compiled with -O3 -march=native by native.ts.
//
// Two indexes over one array of keys: the model that OmenDB has trained, read from a file ("cells"),
// and one of its own, lines within ε of every key under a table of their top bits ("lines"). Each
// looks keys up one at a time, and in batches that go in stages, so that while one key waits for
// memory the others are worked on.
//
//   native <f64|u64> <keys> <nodes> <cells> <wanted> <positions>
//
// Then, for each line "<cells|lines> <single|batch|values> <from> <to>" on stdin, it looks the wanted keys
// [from, to) up, a slice after the other, and prints the nanoseconds a key of the median slice. "values"
// is a batch that fetches the values in the rows as well. A wrong answer ends it with exit code 1.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <numeric>
#include <string>
#include <type_traits>
#include <vector>

namespace {

constexpr uint32_t kBatch = 32;
constexpr uint32_t kWindow = 16;
constexpr size_t kSlice = 5000;  // as in languages.ts

template <typename T>
std::vector<T> read(const char *path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  std::vector<T> data(static_cast<size_t>(file.tellg()) / sizeof(T));
  file.seekg(0);
  file.read(reinterpret_cast<char *>(data.data()), static_cast<std::streamsize>(data.size() * sizeof(T)));
  if (!file) std::exit(2);
  return data;
}

double distance(double key, double base) { return key - base; }
double distance(uint64_t key, uint64_t base) {
  return key >= base ? static_cast<double>(key - base) : -static_cast<double>(base - key);
}

// The lower bound, wherever the prediction is: sixteen keys without a branch, then steps that double.
template <typename Key>
uint32_t search(const std::vector<Key> &keys, Key key, uint32_t predicted) {
  const uint32_t count = static_cast<uint32_t>(keys.size());
  const Key *data = keys.data();
  uint32_t low = 0, high = count;
  if (count >= kWindow) {
    uint32_t p = predicted > kWindow / 2 ? predicted - kWindow / 2 : 0;
    if (p > count - kWindow) p = count - kWindow;
    __builtin_prefetch(&data[p + kWindow / 4]);
    __builtin_prefetch(&data[p + kWindow - kWindow / 4]);
    p += static_cast<uint32_t>(data[p + 7] < key) << 3;
    p += static_cast<uint32_t>(data[p + 3] < key) << 2;
    p += static_cast<uint32_t>(data[p + 1] < key) << 1;
    p += static_cast<uint32_t>(data[p] < key);
    if (data[p] == key) return p;
    uint32_t step = kWindow / 2;
    if (data[p] < key) {
      low = p + 1;
      while (low + step < count && data[low + step] < key) low += step + 1, step *= 2;
      if (low + step < count) high = low + step;
    } else {
      high = p;
      while (high >= step && data[high - step] >= key) high -= step, step *= 2;
      if (high >= step) low = high - step + 1;
    }
  }
  while (low < high) {
    const uint32_t middle = low + (high - low) / 2;
    if (data[middle] < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

// OmenDB's model, as src/rmi/model.ts describes it.
template <typename Key>
struct Cells {
  struct Node {
    Key base;
    double scale;
    uint32_t cells, first, start, error;
  };
  static constexpr uint32_t kIsNode = 0x80000000u;
  std::vector<double> nodes;
  std::vector<uint32_t> cells;

  const Node &node(uint32_t n) const { return reinterpret_cast<const Node *>(nodes.data())[n]; }

  double place(const Node &at, Key key) const {
    const double d = distance(key, at.base);
    if (at.scale > 0) {
      const double x = d * at.scale;
      if (!(x > 0)) return 0;
      return x < at.cells ? x : at.cells - 0x1p-20;
    }
    const double value = std::is_same_v<Key, double> ? static_cast<double>(key) : d;
    const double *separators = reinterpret_cast<const double *>(&at) + 3;
    uint32_t cell = 0;
    for (uint32_t bit = at.cells / 2; bit > 0; bit /= 2) {
      cell += separators[cell + bit] <= value ? bit : 0;
    }
    return cell + 0.5;
  }

  // A step down: a prediction, or kIsNode and the next node.
  uint32_t step(uint32_t n, double x) const {
    const uint32_t cell = static_cast<uint32_t>(x);
    const uint32_t at = node(n).first + cell;
    const uint32_t start = cells[at];
    if (start >= kIsNode) return start;
    uint32_t end = cells[at + 1];
    if (end >= kIsNode) end = node(end & ~kIsNode).start;
    return static_cast<uint32_t>(start + (end - start) * (x - cell));
  }

  uint32_t predict(Key key) const {
    uint32_t n = 0;
    for (;;) {
      const uint32_t found = step(n, place(node(n), key));
      if (found < kIsNode) return found;
      n = found & ~kIsNode;
    }
  }

  void predict(const Key *keys, uint32_t *found) const {
    double x[kBatch];
    uint32_t open[kBatch], opened = kBatch;
    for (uint32_t i = 0; i < kBatch; i++) open[i] = i, found[i] = kIsNode;
    while (opened > 0) {
      for (uint32_t o = 0; o < opened; o++) {
        const uint32_t i = open[o];
        const Node &at = node(found[i] & ~kIsNode);
        x[i] = place(at, keys[i]);
        __builtin_prefetch(&cells[at.first + static_cast<uint32_t>(x[i])]);
      }
      uint32_t left = 0;
      for (uint32_t o = 0; o < opened; o++) {
        const uint32_t i = open[o];
        found[i] = step(found[i] & ~kIsNode, x[i]);
        if (found[i] < kIsNode) continue;
        __builtin_prefetch(&node(found[i] & ~kIsNode));
        open[left++] = i;
      }
      opened = left;
    }
  }
};

// Greedy lines within ε of every key (the shrinking cone of Galakatos et al., "FITing-Tree", SIGMOD
// 2019), found through a table of the top bits of the distance from the first key, then by binary search.
template <typename Key>
struct Lines {
  struct Line {
    Key key;
    double slope;
    double position;
  };
  static constexpr double kEpsilon = 8;
  std::vector<Line> lines;
  std::vector<uint32_t> table;
  double scale = 0;

  explicit Lines(const std::vector<Key> &keys) {
    const uint32_t count = static_cast<uint32_t>(keys.size());
    double low = 0, high = INFINITY;
    for (uint32_t p = 0; p < count; p++) {
      if (p > 0) {
        Line &line = lines.back();
        const double x = distance(keys[p], line.key);
        const double y = p - line.position;
        if (y <= high * x && y >= low * x) {
          high = std::fmin(high, (y + kEpsilon) / x);
          low = std::fmax(low, (y - kEpsilon) / x);
          continue;
        }
        line.slope = std::isinf(high) ? 0 : (low + high) / 2;
      }
      lines.push_back({keys[p], 0, static_cast<double>(p)});
      low = 0, high = INFINITY;
    }
    lines.back().slope = std::isinf(high) ? 0 : (low + high) / 2;
    const double span = distance(keys[count - 1], keys[0]);
    uint32_t size = 1;
    while (size < lines.size()) size *= 2;
    scale = span > 0 && std::isfinite(span) ? (2.0 * size) / span : 0;
    const uint32_t last = slot(keys[count - 1], keys[0]);
    table.assign(last + 2, static_cast<uint32_t>(lines.size()));
    for (uint32_t i = static_cast<uint32_t>(lines.size()); i-- > 0;) table[slot(lines[i].key, keys[0])] = i;
    for (uint32_t i = last; i-- > 0;) table[i] = std::min(table[i], table[i + 1]);
  }

  uint32_t slot(Key key, Key first) const {
    return scale > 0 ? static_cast<uint32_t>(distance(key, first) * scale) : 0;
  }

  // The last line whose first key is not above the key lies in [table[s] − 1, table[s + 1]).
  uint32_t within(Key key, uint32_t s) const {
    uint32_t low = table[s], length = table[s + 1] - low;
    while (length > 0) {
      const uint32_t half = length / 2;
      if (lines[low + half].key <= key) low += half + 1, length -= half + 1;
      else length = half;
    }
    const uint32_t at = low == 0 ? 0 : low - 1;
    const double limit = at + 1 < lines.size() ? lines[at + 1].position : 4294967295.0;
    const double found = lines[at].position + lines[at].slope * distance(key, lines[at].key);
    return static_cast<uint32_t>(std::fmin(std::fmax(found, 0), limit));
  }

  uint32_t predict(Key key) const { return within(key, slot(key, lines[0].key)); }

  void predict(const Key *keys, uint32_t *found) const {
    uint32_t slots[kBatch];
    for (uint32_t i = 0; i < kBatch; i++) {
      slots[i] = slot(keys[i], lines[0].key);
      __builtin_prefetch(&table[slots[i]]);
    }
    for (uint32_t i = 0; i < kBatch; i++) {
      const uint32_t at = table[slots[i]];
      __builtin_prefetch(&lines[at > 0 ? at - 1 : 0]);
    }
    for (uint32_t i = 0; i < kBatch; i++) found[i] = within(keys[i], slots[i]);
  }
};

template <typename Key>
struct Work {
  std::vector<Key> keys, wanted;
  std::vector<uint32_t> positions;
  std::vector<double> values;  // that of row p is p
};

template <typename Key, typename Index>
uint64_t singly(const Index &index, const Work<Key> &work, size_t from, size_t to) {
  uint64_t wrong = 0;
  for (size_t i = from; i < to; i++) {
    wrong += search(work.keys, work.wanted[i], index.predict(work.wanted[i])) != work.positions[i];
  }
  return wrong;
}

template <bool kValues, typename Key, typename Index>
uint64_t inBatches(const Index &index, const Work<Key> &work, size_t from, size_t to) {
  const auto &[keys, wanted, positions, values] = work;
  uint64_t wrong = 0;
  uint32_t found[kBatch];
  size_t i = from;
  for (; i + kBatch <= to; i += kBatch) {
    index.predict(&wanted[i], found);
    for (uint32_t j = 0; j < kBatch; j++) {
      const uint32_t begin = found[j] > kWindow / 2 ? found[j] - kWindow / 2 : 0;
      __builtin_prefetch(&keys[begin]);
      __builtin_prefetch(&keys[begin] + kWindow / 2);
      if (kValues) __builtin_prefetch(&values[found[j]]);
    }
    for (uint32_t j = 0; j < kBatch; j++) {
      const uint32_t position = search(keys, wanted[i + j], found[j]);
      if (kValues) wrong += values[position] != positions[i + j];
      else wrong += position != positions[i + j];
    }
  }
  return wrong + singly(index, work, i, to);
}

template <typename Key, typename Index>
uint64_t look(const std::string &how, const Index &index, const Work<Key> &work, size_t from, size_t to) {
  if (how == "single") return singly(index, work, from, to);
  return how == "batch" ? inBatches<false>(index, work, from, to) : inBatches<true>(index, work, from, to);
}

template <typename Key>
int serve(char **files) {
  Work<Key> work{read<Key>(files[0]), read<Key>(files[3]), read<uint32_t>(files[4]), {}};
  work.values.resize(work.keys.size() + 1);
  std::iota(work.values.begin(), work.values.end(), 0);
  const Cells<Key> cells{read<double>(files[1]), read<uint32_t>(files[2])};
  const Lines<Key> lines(work.keys);
  std::string index, how;
  size_t from, to;
  while (std::cin >> index >> how >> from >> to) {
    std::vector<double> times;
    for (size_t start = from; start < to; start += kSlice) {
      const size_t end = std::min(start + kSlice, to);
      const auto begin = std::chrono::steady_clock::now();
      const uint64_t wrong = index == "cells" ? look(how, cells, work, start, end) : look(how, lines, work, start, end);
      const std::chrono::duration<double, std::nano> elapsed = std::chrono::steady_clock::now() - begin;
      if (wrong > 0) {
        std::cerr << wrong << " answers are wrong (" << index << ", " << how << ").\n";
        return 1;
      }
      times.push_back(elapsed.count() / static_cast<double>(end - start));
    }
    std::sort(times.begin(), times.end());
    std::cout << times[times.size() / 2] << std::endl;
  }
  return 0;
}

}  // namespace

int main(int count, char **arguments) {
  if (count != 7) return 2;
  return std::strcmp(arguments[1], "f64") == 0 ? serve<double>(arguments + 2) : serve<uint64_t>(arguments + 2);
}

# frozen_string_literal: true
require 'set'

module Stock
  LIMIT = 1_000
  class Item < Struct.new(:name, :price)
    include Comparable
    attr_reader :tags
    @@count = 0

    def initialize(name, price = 0.5, *rest, key: nil, **opts, &block)
      super(name, price)
      @tags = %w[a b c]
      @@count += 1
      yield self if block_given?
    end

    def <=>(other) = price <=> other.price

    def self.parse(text)
      case text
      when /\A(\d+)\s*x#{LIMIT}\z/i then $1.to_i
      when String, nil
        text&.strip || 'none'
      else
        raise ArgumentError, "bad #{text.inspect}" unless text.is_a?(Integer)
      end
    rescue ArgumentError, TypeError => e
      puts e.message
      retry if (tries += 1) < 3
    ensure
      $stderr.puts :done
    end

    def rich? = price > 100
  end
end

items = [1, 2, 3].map { |i| Stock::Item.new("n#{i}", i * 2.0) }
items.each_with_index do |item, index|
  next if index.zero?
  puts item.name.upcase, index
end
text = <<~TEXT
  Hello #{items.first.name}
    indented
TEXT
hash = { name: 'x', "key" => :sym, 3 => [*items], **{} }
until hash.empty? do hash.shift end
while true
  break
end
x = hash[:name] ? 1 : -2
puts [x, !x, x ** 2, x..10].inspect if x and not x.nil?
lam = ->(a, b = 2) { a + b }
lam.(1)
begin; x += 1; end while x < 3
